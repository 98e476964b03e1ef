import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  visit,
} from 'yaml'
import type { ConfigProblem } from './config-problem.ts'

type Path = readonly PropertyKey[]

/** A YAML text with its data, that knows where everything stands. */
export interface YamlSource {
  readonly data: unknown
  /** Makes a problem at the value under `path`, at its key where it names one, or at the nearest parent. */
  problemAt(path: Path, what: 'key' | 'value', problem: Omit<ConfigProblem, 'line' | 'column'>): ConfigProblem
}

/** Aliases may expand to at most this many nodes, so that a small text cannot become gigabytes. */
const MAX_ALIASES = 100

/** Reads YAML 1.2. Duplicate keys, unknown tags and a second document are problems. */
export function parseYaml(
  text: string,
): { status: 'parsed'; source: YamlSource } | { status: 'invalid'; problems: ConfigProblem[] } {
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'error' })
  const [document, second] = Array.isArray(documents) ? documents : []
  const at = (offset: number): Pick<ConfigProblem, 'line' | 'column'> => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const invalid = (offset: number, message: string): { status: 'invalid'; problems: ConfigProblem[] } => ({
    status: 'invalid',
    problems: [{ ...at(offset), field: '', message }],
  })

  if (!document) return invalid(0, 'is empty: name at least one tier with models')
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0)
    return {
      status: 'invalid',
      problems: faults.map(({ pos, message }) => ({ ...at(pos[0]), field: '', message: firstLine(message) })),
    }
  if (second) return invalid(second.range[0], 'must be one YAML document, and is several')
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
    return invalid(0, 'is empty: name at least one tier with models')

  const poisoned = poisonedKeys(document)
  if (poisoned.length > 0)
    return {
      status: 'invalid',
      problems: poisoned.map(({ offset, field }) => ({
        ...at(offset),
        field,
        message: 'is no name that may be used',
      })),
    }
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    return invalid(unresolvedAliasAt(document) ?? 0, firstLine((error as Error).message))
  }
  return {
    status: 'parsed',
    source: {
      data,
      problemAt: (path, what, problem) => ({ ...at(offsetOf(document, path, what)), ...problem }),
    },
  }
}

function offsetOf(document: Document.Parsed, path: Path, what: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const [depth, key] of path.entries()) {
    const parent = isAlias(node) ? node.resolve(document) : node
    const child = childOf(parent, key)
    if (child === undefined) break
    const wantsKey = what === 'key' && depth === path.length - 1
    node = isPair(child) ? child.value : child
    const shown = isPair(child) && (wantsKey || startOf(node) === undefined) ? child.key : node
    offset = startOf(shown) ?? offset
  }
  return offset
}

/** Maps leave such a key out without a word. At the top it is an unknown key like others. */
function poisonedKeys(document: Document.Parsed): { offset: number; field: string }[] {
  const found: { offset: number; field: string }[] = []
  visit(document, {
    Pair(_, { key }, path) {
      const parents = path.filter(isPair)
      if (!isScalar(key) || key.value !== '__proto__' || parents.length === 0) return
      const names = [...parents.map((parent) => (isScalar(parent.key) ? parent.key.value : '?')), key.value]
      found.push({ offset: startOf(key) ?? 0, field: names.join('.') })
    },
  })
  return found
}

function unresolvedAliasAt(document: Document.Parsed): number | undefined {
  let offset: number | undefined
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document)) return undefined
      offset = startOf(node)
      return visit.BREAK
    },
  })
  return offset
}

function childOf(parent: unknown, key: PropertyKey): Pair | Node | undefined {
  if (isMap(parent))
    return parent.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key))
  if (isSeq(parent)) return parent.items[Number(key)] as Node | undefined
  return undefined
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0]
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!.replace(/:$/, '')
}
