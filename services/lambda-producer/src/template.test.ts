import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { Settings } from './config.ts'

const templateFile = join(import.meta.dirname, '..', '..', '..', 'infra', 'lambda', 'template.yaml')

const Statement = z.object({
  Effect: z.string(),
  Action: z.union([z.string(), z.array(z.string())]),
  Resource: z.unknown(),
})
const Template = z.object({
  Parameters: z.record(z.string(), z.unknown()),
  Resources: z.object({
    LambdaProducer: z.object({
      Properties: z.object({
        CodeUri: z.string(),
        Handler: z.string(),
        Runtime: z.string(),
        VpcConfig: z.record(z.string(), z.unknown()),
        Events: z.record(z.string(), z.unknown()),
        Timeout: z.number(),
        Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
        Policies: z.tuple([z.object({ Statement: z.array(Statement) })]),
      }),
    }),
  }),
})

/** CloudFormation's short functions, as what they are applied to. */
const functions = ['Ref', 'Sub', 'Join', 'Split'].flatMap(name => [
  { tag: `!${name}`, resolve: (text: string) => text },
  { tag: `!${name}`, collection: 'seq' as const },
])
const source = readFileSync(templateFile, 'utf8')
const template = Template.parse(parse(source, { customTags: functions }))
const { Properties: lambda } = template.Resources.LambdaProducer

test('it uploads what the bundle is, and gives it more time than a broker may take for a request', () => {
  expect(lambda).toMatchObject({
    CodeUri: '../../services/lambda-producer/dist/',
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
  })
  expect(lambda.Timeout).toBeGreaterThan(10)
})

test('an HTTP API calls it, and it stands in the network of the brokers', () => {
  const properties = { ApiId: 'Api', Method: 'POST', Path: '/create' }
  expect(lambda.Events).toEqual({ Create: { Type: 'HttpApi', Properties: properties } })
  expect(lambda.VpcConfig).toEqual({ SubnetIds: 'SubnetIds', SecurityGroupIds: 'SecurityGroupIds' })
})

test('it sets what the function reads, and the settings accept it', () => {
  const variables = lambda.Environment.Variables
  for (const name of Object.keys(variables)) expect(Object.keys(Settings.shape)).toContain(name)
  const given = {
    KAFKA_BROKERS: 'b-1.example:9098',
    KAFKA_TOPIC: 'user',
    TOPIC_PARTITIONS: '3',
    TOPIC_REPLICATION_FACTOR: '-1',
  }
  const settings = Settings.parse({ ...variables, ...given, AWS_REGION: 'eu-central-1' })
  expect(settings).toMatchObject({ KAFKA_TLS: true, KAFKA_SASL_MECHANISM: 'aws-msk-iam' })
})

test('it may connect to the cluster, and describe, create and write one topic; nothing else', () => {
  const [{ Statement: statements }] = lambda.Policies
  expect(statements).toEqual([
    { Effect: 'Allow', Action: 'kafka-cluster:Connect', Resource: 'MskClusterArn' },
    {
      Effect: 'Allow',
      Action: [
        'kafka-cluster:DescribeTopic',
        'kafka-cluster:CreateTopic',
        'kafka-cluster:WriteData',
        'kafka-cluster:DescribeTopicDynamicConfiguration',
      ],
      Resource: ['${Topics}/${KafkaTopic}', { Topics: [':topic/', [':cluster/', 'MskClusterArn']] }],
    },
  ])
})
