/** Reads lines of JSON from a response as they come. */

/** Cuts pieces of text into lines; a last line need not end. */
export class Lines {
  #rest = ''

  /** The lines that a piece completes. */
  push(piece: string): string[] {
    const lines = (this.#rest + piece).split('\n')
    this.#rest = lines.pop()!
    return lines.filter(line => line.trim() !== '')
  }

  /** The line that nothing ended. */
  end(): string[] {
    const rest = this.#rest
    this.#rest = ''
    return rest.trim() === '' ? [] : [rest]
  }
}

export async function* linesOf<T>(response: Response): AsyncGenerator<T> {
  const lines = new Lines()
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      for (const line of done ? lines.end() : lines.push(value)) yield JSON.parse(line) as T
      if (done) return
    }
  } finally {
    // A reader that goes on lets the server know.
    reader.cancel().catch(() => {})
  }
}
