/**
 * The fence of a sink in a database of tables: one row for each (job, sink, slot), in the sink's own database, changed
 * in the same transaction as the rows. Epochs pass it once and in order; older owners do not pass it at all.
 */
