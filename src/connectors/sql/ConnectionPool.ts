/** A few connections to a server, each used by one at a time; who finds none free waits, first come first served. */

export interface PooledConnection {
  /** It will never answer again. */
  readonly isLost: () => boolean
  /** Ends it at once. */
  readonly close: () => Promise<void>
}

export interface ConnectionPool<C> {
  /** Uses a connection alone; makes one where none is left that lives. Rejects as the body does, or as connecting does. */
  readonly use: <A>(body: (connection: C) => Promise<A>) => Promise<A>
  /** Ends those that nobody uses, and the others when they are given back. */
  readonly close: () => Promise<void>
}

export const make = <C extends PooledConnection>(
  connect: () => Promise<C>,
  connectionsMax: number
): ConnectionPool<C> => {
  const idle: Array<C> = []
  const waiting: Array<() => void> = []
  let places = connectionsMax
  let isClosed = false
  const enter = (): Promise<void> | void => {
    if (places === 0) return new Promise((resolve) => waiting.push(resolve))
    places--
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) places++
    else next()
  }
  const living = (): C | undefined => {
    for (;;) {
      const connection = idle.pop()
      if (connection === undefined || !connection.isLost()) return connection
      void connection.close()
    }
  }
  return {
    use: async (body) => {
      await enter()
      try {
        const connection = living() ?? (await connect())
        try {
          return await body(connection)
        } finally {
          if (isClosed || connection.isLost()) await connection.close()
          else idle.push(connection)
        }
      } finally {
        leave()
      }
    },
    close: async () => {
      isClosed = true
      await Promise.all(idle.splice(0).map((connection) => connection.close()))
    }
  }
}
