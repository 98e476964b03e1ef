/** Process role: everything on one machine, as `tierline up`. What `npm run dev` runs. */
import { runUp } from '../src/service.ts'

process.exitCode = await runUp({ settings: {}, concurrency: undefined, json: false })
