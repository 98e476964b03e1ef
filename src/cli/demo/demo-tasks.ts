/** What the demo submits, and where each task must go by the table beside it. */
import type { TaskInput } from '../../tasks/input.ts'

/** The routing table of the demo, as a user would write it. The models are those of the scripted provider. */
export const DEMO_CONFIG = `tiers:
  fast:     { models: [acme/nano, globex/fast], concurrency: 4 }
  balanced: { models: [acme/base], concurrency: 3 }
  powerful: { models: [acme/big, globex/deep], concurrency: 2 }
routes:
  lint: fast
  format: fast
  review: balanced
  translate: balanced
  analysis: powerful
default: balanced
`

export interface DemoTask {
  label: string
  input: TaskInput
  /** The model of each message, by the table above. */
  expected: readonly string[]
  expectedTier: string | null
}

export const DEMO_TASKS: readonly DemoTask[] = [
  task('lint-api', { type: 'lint' }, 'fast', ['acme/nano'], 'src/api.ts', 'No problems found in src/api.ts.'),
  task(
    'lint-cli',
    { type: 'lint' },
    'fast',
    ['acme/nano'],
    'src/cli.ts',
    'Line 12: "options" is never used. Everything else is fine.',
  ),
  task(
    'lint-db',
    { type: 'lint' },
    'fast',
    ['acme/nano'],
    'src/db.ts',
    'Line 40: the promise is not awaited; line 71: unreachable code.',
  ),
  task(
    'format-api',
    { type: 'format' },
    'fast',
    ['acme/nano'],
    'src/api.ts',
    'Formatted 14 lines, nothing else changed.',
  ),
  task(
    'format-docs',
    { type: 'format' },
    'fast',
    ['acme/nano'],
    'docs/',
    'Wrapped three paragraphs at 100 columns.',
  ),
  task(
    'review-17',
    { type: 'review' },
    'balanced',
    ['acme/base'],
    'pull request 17',
    'Looks right. One question: what happens to the lock when the request times out between the two writes?',
  ),
  task(
    'review-18',
    { type: 'review' },
    'balanced',
    ['acme/base'],
    'pull request 18',
    'The retry swallows the cause of the error. Pass it on, and add a test that fails without that.',
  ),
  task(
    'translate-de',
    { type: 'translate' },
    'balanced',
    ['acme/base'],
    'the README into German',
    'Eine Warteschlange, die nichts verliert und nichts zweimal bezahlt.',
  ),
  task(
    'analysis-slow',
    { type: 'analysis' },
    'powerful',
    ['acme/big'],
    'why the start takes 4 s',
    'Two thirds of the time go into reading 1,900 files of which 30 are needed. Load them on first use, and the start takes 1.3 s; the cache of the compiler brings it below one second.',
  ),
  task(
    'analysis-leak',
    { type: 'analysis' },
    'powerful',
    ['acme/big'],
    'the growth of memory overnight',
    'Every closed connection leaves its listener in the hub. The map grows by one entry per request; remove the entry where the socket closes.',
  ),
  task(
    'pinned-deep',
    { type: 'review', model: 'globex/deep' },
    'powerful',
    ['globex/deep'],
    'pull request 19, with a model of its own',
    'The invariant does not hold when both sides crash: write the intent before the effect.',
  ),
  task(
    'pinned-mini',
    { model: 'acme/mini' },
    null,
    ['acme/mini'],
    'a commit message',
    'Close the hub listener with its socket.',
  ),
  {
    label: 'three-messages',
    input: {
      type: 'lint',
      title: 'Three messages, the second on another model',
      messages: [
        { text: promptOf('src/auth.ts', 'One problem: the token is compared with ==.') },
        {
          text: promptOf(
            'how an attacker could use it',
            'Comparison by == stops at the first wrong byte; the time it takes tells how many were right.',
          ),
          model: 'acme/big',
        },
        { text: promptOf('src/auth.ts once more', 'Fixed: it uses timingSafeEqual now.') },
      ],
    },
    expected: ['acme/nano', 'acme/big', 'acme/nano'],
    expectedTier: 'fast',
  },
]

function task(
  label: string,
  route: Pick<TaskInput, 'type' | 'model'>,
  expectedTier: string | null,
  expected: readonly string[],
  about: string,
  answer: string,
): DemoTask {
  return { label, input: { ...route, title: label, prompt: promptOf(about, answer) }, expected, expectedTier }
}

/** The scripted model does what its prompt says: it gives this answer, a word each 40 ms. */
function promptOf(about: string, answer: string): string {
  return `Please look at ${about}. @chunk:40 @say: ${answer}`
}
