/** Fields of the hash, ready to be written: `{ model: 'acme/nano' }`. */
export type RecordFields = Readonly<Record<string, string | number>>

/** `{ a: 1 }` → `['a', 1]`, as scripts take it. */
export function flat(fields: RecordFields): (string | number)[] {
  const list: (string | number)[] = []
  for (const field in fields) list.push(field, fields[field]!)
  return list
}
