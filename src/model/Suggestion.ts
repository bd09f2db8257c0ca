/** What a person may have meant by a word that is not known. */

/** The nearest of the known words; `null` if none is near: a third of its letters may be wrong, at least two. */
export const nearest = (word: string, known: Iterable<string>): string | null => {
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const limit = Math.max(2, Math.floor(candidate.length / 3))
    const distance =
      candidate.startsWith(word) && word.length >= 3 ? 1 : distanceOf(word.toLowerCase(), candidate.toLowerCase())
    if (distance <= limit && distance < bestDistance && distance < Math.max(word.length, 2)) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** A sentence for a hint: what was meant, or all that there is. */
export const sentence = (word: string, known: ReadonlyArray<string>): string => {
  const meant = nearest(word, known)
  if (meant !== null) return `Did you mean '${meant}'?`
  return known.length === 0 ? "There is none." : `There are: ${known.join(", ")}.`
}

/** Letters to be inserted, removed, replaced or swapped to make one word of the other. */
const distanceOf = (one: string, other: string): number => {
  let before: Array<number> = []
  let previous = Array.from({ length: other.length + 1 }, (_, j) => j)
  for (let i = 1; i <= one.length; i++) {
    const current = [i]
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1
      let least = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + same)
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        least = Math.min(least, before[j - 2]! + 1)
      current.push(least)
    }
    before = previous
    previous = current
  }
  return previous[other.length]!
}
