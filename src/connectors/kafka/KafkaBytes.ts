/** The bytes of Kafka's protocol: numbers are big-endian, texts and lists carry their length. */

/** Writes into a buffer that grows. */
export interface Writer {
  readonly int8: (value: number) => void
  readonly int16: (value: number) => void
  readonly int32: (value: number) => void
  /** A whole number between -2^53 and 2^53. */
  readonly int64: (value: number) => void
  readonly boolean: (value: boolean) => void
  readonly text: (value: string | null) => void
  /** The same with a length that counts one more, as an unsigned number of variable length. */
  readonly compactText: (value: string) => void
  readonly unsigned: (value: number) => void
  readonly bytes: (value: Uint8Array) => void
  readonly list: <A>(values: ReadonlyArray<A>, write: (value: A) => void) => void
  readonly result: () => Uint8Array
}

export const writer = (): Writer => {
  let buffer = new Uint8Array(256)
  let view = new DataView(buffer.buffer)
  let length = 0
  /** Where the next bytes go, in a buffer that has room for them. */
  const room = (bytes: number): number => {
    const at = length
    length += bytes
    if (length > buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * buffer.length))
      grown.set(buffer)
      buffer = grown
      view = new DataView(grown.buffer)
    }
    return at
  }
  const int8 = (value: number): void => {
    const at = room(1)
    view.setInt8(at, value)
  }
  const int16 = (value: number): void => {
    const at = room(2)
    view.setInt16(at, value)
  }
  const int32 = (value: number): void => {
    const at = room(4)
    view.setInt32(at, value)
  }
  const bytes = (value: Uint8Array): void => {
    const at = room(value.length)
    buffer.set(value, at)
  }
  const unsigned = (value: number): void => {
    let rest = value
    for (; rest > 127; rest >>>= 7) int8((rest & 127) | 128)
    int8(rest)
  }
  return {
    int8,
    int16,
    int32,
    int64: (value) => {
      const at = room(8)
      view.setInt32(at, Math.floor(value / 0x1_0000_0000))
      view.setUint32(at + 4, value >>> 0)
    },
    boolean: (value) => int8(value ? 1 : 0),
    text: (value) => {
      if (value === null) return int16(-1)
      const encoded = utf8.encode(value)
      int16(encoded.length)
      bytes(encoded)
    },
    compactText: (value) => {
      const encoded = utf8.encode(value)
      unsigned(encoded.length + 1)
      bytes(encoded)
    },
    unsigned,
    bytes,
    list: (values, write) => {
      int32(values.length)
      for (const value of values) write(value)
    },
    result: () => buffer.subarray(0, length)
  }
}

/** Reads from `at` on, in order. */
export interface Reader {
  readonly int8: () => number
  readonly int16: () => number
  readonly int32: () => number
  readonly int64: () => number
  readonly text: () => string | null
  readonly compactText: () => string | null
  readonly unsigned: () => number
  /** So many bytes: a view. */
  readonly bytes: (count: number) => Uint8Array
  readonly list: <A>(read: () => A) => ReadonlyArray<A>
  readonly compactList: <A>(read: () => A) => ReadonlyArray<A>
  /** Passes over fields that newer brokers add. */
  readonly tags: () => void
}

export const reader = (buffer: Uint8Array): Reader => {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  let at = 0
  const pass = (count: number): number => {
    const from = at
    at += count
    return from
  }
  const int16 = (): number => view.getInt16(pass(2))
  const int32 = (): number => view.getInt32(pass(4))
  const bytes = (count: number): Uint8Array => {
    const from = pass(count)
    return buffer.subarray(from, from + count)
  }
  const unsigned = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = buffer[pass(1)]!
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }
  const times = <A>(count: number, read: () => A): ReadonlyArray<A> =>
    Array.from({ length: Math.max(0, count) }, () => read())
  return {
    int8: () => view.getInt8(pass(1)),
    int16,
    int32,
    int64: () => int64At(view, pass(8)),
    text: () => {
      const length = int16()
      return length < 0 ? null : text.decode(bytes(length))
    },
    compactText: () => {
      const length = unsigned()
      return length === 0 ? null : text.decode(bytes(length - 1))
    },
    unsigned,
    bytes,
    list: (read) => times(int32(), read),
    compactList: (read) => times(unsigned() - 1, read),
    tags: () => {
      for (let left = unsigned(); left > 0; left--) {
        unsigned()
        pass(unsigned())
      }
    }
  }
}

export const int64At = (view: DataView, at: number): number =>
  view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4)

// Private

const utf8 = new TextEncoder()
const text = new TextDecoder()
