/**
 * `npm run endure -- kills [ROUNDS]` and `npm run endure -- soak [JOBS]`: the long forms of what the tests of the
 * embedded Valkey do in short. Exit code 1 when something is lost.
 */
import { tmpdir } from 'node:os'
import { runKillRounds } from '../test/redis/kill-rounds.ts'
import { soak } from '../test/redis/soak.ts'

const [what, count] = process.argv.slice(2)
const parent = tmpdir()
const say = (data: object) => console.log(JSON.stringify(data))

if (what === 'kills') {
  for (const fsync of ['everysec', 'always'] as const) {
    const tally = await runKillRounds({
      parent,
      fsync,
      rounds: Number(count ?? 20),
      maxLoadMs: 2_000,
      onRound: (so) => say(so),
    })
    say({ fsync, ...tally })
    if (tally.missing > 0) process.exitCode = 1
  }
} else if (what === 'soak') {
  const result = await soak({ parent, jobs: Number(count ?? 500_000), onSample: say })
  say(result)
  if (result.left > 0) process.exitCode = 1
} else {
  console.error('npm run endure -- kills [ROUNDS] | soak [JOBS]')
  process.exitCode = 2
}
