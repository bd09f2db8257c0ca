/**
 * How much is tried of what can be tried without end. `WEIR_TEST_THOROUGH=1` tries all of it, as `.ci/run` does; without
 * it a contributor waits for a third.
 */
export const isThorough = process.env.WEIR_TEST_THOROUGH === "1"

/** Durable steps from one crash to the next. */
export const stride = isThorough ? 1 : 3
