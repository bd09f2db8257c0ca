/** The classes whose instances a step's state may hold: written by name and fields, read back as instances. */

export class Classes {
  readonly #names = new Map<object, string>()
  readonly #prototypes = new Map<string, object>()

  /** Of two classes of one name the second is kept as `Name 2`. */
  constructor(prototypes: ReadonlyArray<object>) {
    for (const prototype of prototypes) {
      if (this.#names.has(prototype)) continue
      const name = nameOf(prototype)
      let own = name
      for (let count = 2; this.#prototypes.has(own); count++) own = `${name} ${count}`
      this.#names.set(prototype, own)
      this.#prototypes.set(own, prototype)
    }
  }

  nameOf(prototype: object): string | undefined {
    return this.#names.get(prototype)
  }

  prototypeOf(name: string): object | undefined {
    return this.#prototypes.get(name)
  }
}

export const none: Classes = new Classes([])

/** A Schema's class says its identifier; that of a bundled class may be shortened in its `name`. */
const nameOf = (prototype: object): string => {
  const { identifier, name } = prototype.constructor as { readonly identifier?: unknown; readonly name: string }
  return typeof identifier === "string" ? identifier : name
}
