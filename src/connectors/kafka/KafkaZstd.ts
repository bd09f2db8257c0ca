/** Records packed by Zstandard: the only file that imports `fzstd`. */
import { Decompress } from "fzstd"
import { Damaged, make, TooLarge } from "./Unpacked.ts"

/** Bytes that a piece may refer back to, at most: the decoder holds as many, and knows no more. */
const windowBytesMax = 33_554_432

/** Throws `TooLarge` where more than `bytesMax` bytes come of it, `Damaged` or an error of the decoder where it is no Zstandard. */
export const unpack = (bytes: Uint8Array, bytesMax: number): Uint8Array => {
  checkFrames(bytes)
  const unpacked = make(4 * bytes.length, bytesMax)
  new Decompress((part) => unpacked.append(part, 0, part.length)).push(bytes, true)
  return unpacked.result()
}

// Private

/** Every frame is whole, and says of its window, which the decoder makes at once, that it is no larger than it may be. */
const checkFrames = (bytes: Uint8Array): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  try {
    do {
      const magic = view.getUint32(at, true)
      at = (magic & 0xffff_fff0) >>> 0 === 0x184d_2a50 ? at + 8 + view.getUint32(at + 4, true) : checkFrame(view, at)
    } while (at < bytes.length)
  } catch (error) {
    throw error instanceof RangeError ? new Damaged("it is cut off") : error
  }
  if (at > bytes.length) throw new Damaged("it is cut off")
}

/** Answers where the frame at `start` ends. */
const checkFrame = (view: DataView, start: number): number => {
  if (view.getUint32(start, true) !== 0xfd2f_b528) throw new Damaged("it begins otherwise")
  const flags = view.getUint8(start + 4)
  const isWhole = (flags & 32) !== 0
  if ((flags & 3) !== 0) throw new Damaged("it needs a dictionary")
  const lengthBytes = [isWhole ? 1 : 0, 2, 4, 8][flags >>> 6]!
  const place = start + (isWhole ? 5 : 6)
  if ((isWhole ? lengthAt(view, place, lengthBytes) : windowOf(view.getUint8(start + 5))) > windowBytesMax)
    throw new TooLarge()
  for (let at = place + lengthBytes; ; ) {
    const head = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    const isRun = ((head >>> 1) & 3) === 1
    at += 3 + (isRun ? 1 : head >>> 3)
    if ((head & 1) !== 0) return (flags & 4) === 0 ? at : at + 4
  }
}

const lengthAt = (view: DataView, at: number, bytes: number): number => {
  switch (bytes) {
    case 1:
      return view.getUint8(at)
    case 2:
      return view.getUint16(at, true) + 256
    case 4:
      return view.getUint32(at, true)
    default:
      return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000
  }
}

const windowOf = (descriptor: number): number => {
  const base = 2 ** (10 + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}
