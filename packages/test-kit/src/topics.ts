/** Topics and records for tests, by plain clients that know nothing of the code under test. */
import { atEndOfTest } from './end-of-test.ts'
import { eventually } from './eventually.ts'
import { testKafka, type TestKafka } from './test-kafka.ts'
import { uniqueName } from './unique-name.ts'

type Admin = ReturnType<TestKafka['kafka']['admin']>

export type TestTopicOptions = {
  /** 1 by default */
  partitions?: number
  /** 1 by default */
  replicationFactor?: number
  configs?: Record<string, string>
  /** the first part of the name, "topic" by default */
  prefix?: string
  /** the exact name, where the code under test dictates it (a dead-letter topic) */
  topic?: string
  /** other brokers than the run's stack */
  on?: TestKafka
}

/** Creates a topic with a unique name, its leaders elected. On the run's stack a test's own topic is deleted after it. */
export async function createTopic(options: TestTopicOptions = {}): Promise<string> {
  const on = options.on ?? testKafka()
  const topic = options.topic ?? uniqueName(options.prefix ?? 'topic')
  await withAdmin(on, async admin => {
    const described = {
      topic,
      numPartitions: options.partitions ?? 1,
      replicationFactor: options.replicationFactor ?? 1,
      configEntries: Object.entries(options.configs ?? {}).map(([name, value]) => ({ name, value })),
    }
    // A broker that was frozen, or has just begun, may not be let in yet; false says that an earlier attempt has done it.
    await eventually(() => admin.createTopics({ waitForLeaders: false, topics: [described] }), {
      what: `the topic ${topic}`,
    })
  })
  await untilTheyTakeRecords(topic, options.partitions ?? 1, on)
  // Brokers of a test's own go away with all they hold, and may be down by then.
  if (options.on === undefined) atEndOfTest(() => deleteTopic(on, topic))
  return topic
}

/** Gives a topic more partitions, `count` in all. Resolves when all of them take records. */
export async function addPartitions(
  topic: string,
  count: number,
  on: TestKafka = testKafka(),
): Promise<void> {
  await withAdmin(on, admin => admin.createPartitions({ topicPartitions: [{ topic, count }] }))
  await untilTheyTakeRecords(topic, count, on)
}

/**
 * Waits until so many partitions take records. kafkajs' own wait fails when the broker has not heard of the topic yet
 * (tulios/kafkajs#1563), and what is sent too early is not only refused: the partitions of the same request that take it get
 * it again with the retry, and a record for a partition that metadata does not name is dropped without an error.
 */
async function untilTheyTakeRecords(topic: string, partitions: number, on: TestKafka): Promise<void> {
  await eventually(
    // Anew each time: an admin client keeps what it was told of a topic.
    () =>
      withAdmin(on, async admin => {
        // Metadata can name a leader that does not know of it yet and refuses records; one that tells offsets takes them.
        const led = (await admin.fetchTopicOffsets(topic)).length
        if (led !== partitions) throw new Error(`${led} of ${partitions} partitions have a leader`)
      }),
    { what: `the leaders of ${topic}` },
  )
}

/** Deletes a topic that may be gone already, or may never have come to be. */
export async function deleteTopic(on: TestKafka, topic: string): Promise<void> {
  await withAdmin(on, async admin => {
    // A broker lists a topic for some moments after it was deleted.
    await eventually(
      async () => {
        if ((await admin.listTopics()).includes(topic)) await admin.deleteTopics({ topics: [topic] })
      },
      { what: `the end of ${topic}` },
    )
  })
}

/**
 * Where each partition begins (`low`) and ends (`high`), by number. Waits for the topic, and for leaders that know that they are.
 * @throws Error when that does not happen in time
 */
export function partitionEnds(
  topic: string,
  on: TestKafka = testKafka(),
): Promise<{ partition: number; low: string; high: string }[]> {
  return eventually(
    async () => {
      const ends = await withAdmin(on, admin => admin.fetchTopicOffsets(topic))
      return ends.toSorted((a, b) => a.partition - b.partition)
    },
    { what: `the offsets of ${topic}` },
  )
}

/** Runs `work` with a connected admin client. */
export async function withAdmin<T>(on: TestKafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = on.kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}
