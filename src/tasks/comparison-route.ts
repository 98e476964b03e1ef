/** The route of a comparison. A route must name a model, and a comparison is sent to none: its reasons say so. */
import type { Route } from './route.ts'

const STEP = 'compare'

/** `columns`: the models or tiers that are compared. */
export function comparisonRoute(route: Route, columns: readonly string[]): Route {
  const steps = [{ step: STEP, input: columns.join(', '), outcome: 'a task for each' }]
  return { ...route, tier: null, chain: [], steps }
}

/** What a comparison compares: `acme/nano, acme/big`; `undefined`: the route is of no comparison. */
export function comparedIn({ steps }: Route): string | undefined {
  return steps.find(({ step }) => step === STEP)?.input
}

/** The model of a task; `null`: it is a comparison, whose tasks have one each. */
export function modelOf<Model extends string>(model: Model, route: Route): Model | null {
  return comparedIn(route) === undefined ? model : null
}
