import { consumeWithPlatformatic } from './consume-with-platformatic.ts'

await consumeWithPlatformatic({ maxBytes: 4 * 1024 * 1024 })
