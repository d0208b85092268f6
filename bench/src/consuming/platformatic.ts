import { consumeWithPlatformatic } from './consume-with-platformatic.ts'

await consumeWithPlatformatic({})
