/** Why a value cannot be written by a codec: a row that is set aside, not an error of the job. */
export class Unencodable {
  /** One sentence. */
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}
