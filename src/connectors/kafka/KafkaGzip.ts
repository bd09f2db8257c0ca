/** Records packed by gzip, by the runtime itself: the only file that imports `node:zlib`, which all runtimes have. */
import { gunzipSync, gzipSync } from "node:zlib"
import { TooLarge } from "./Unpacked.ts"

/** Throws `TooLarge` where more than `bytesMax` bytes come of it, an error of the runtime where it is no gzip. */
export const unpack = (bytes: Uint8Array, bytesMax: number): Uint8Array => {
  try {
    return plain(gunzipSync(bytes, { maxOutputLength: bytesMax }))
  } catch (error) {
    throw (error as { readonly code?: string }).code === "ERR_BUFFER_TOO_LARGE" ? new TooLarge() : error
  }
}

export const pack = (bytes: Uint8Array): Uint8Array => plain(gzipSync(bytes))

// Private

/** The same bytes, without what a runtime adds to them. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
