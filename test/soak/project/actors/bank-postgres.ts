import { bank } from "../bank.ts"

export default bank("bank-postgres")
