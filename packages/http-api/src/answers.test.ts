import { describe, expect, test } from 'vitest'
import { describeRefusal } from './answers.ts'
import type { FastifyError } from 'fastify'

const errorOf = (fields: object): FastifyError =>
  Object.assign(new Error('said by Fastify'), { name: '', code: '' }, fields)

describe('a request that ended in an error gets', () => {
  test.each<[string, object, number, object]>([
    [
      '400 for a body that is no JSON',
      { statusCode: 400 },
      400,
      { fields: [{ field: 'body', problem: 'said by Fastify' }] },
    ],
    [
      '400 for an address that cannot be read',
      { statusCode: 400, code: 'FST_ERR_BAD_URL' },
      400,
      { fields: [{ field: 'path', problem: 'said by Fastify' }] },
    ],
    ['413 with the limit', { statusCode: 413 }, 413, { error: 'the body is larger than 100 bytes' }],
    [
      '415 with what is wanted',
      { statusCode: 415 },
      415,
      { error: 'the content type must be application/json' },
    ],
    ['what Fastify says of its other refusals', { statusCode: 431 }, 431, { error: 'said by Fastify' }],
    ['500 that tells nothing', {}, 500, { error: 'internal error; nothing is known to be stored' }],
    [
      '500 that tells nothing of an error with a status of its own',
      { statusCode: 502 },
      500,
      { error: 'internal error; nothing is known to be stored' },
    ],
  ])('%s', (_what, fields, status, body) => {
    expect(describeRefusal(errorOf(fields), 100)).toMatchObject({ status, body })
  })
})
