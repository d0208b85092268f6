import { expect, onTestFinished, test, vi } from 'vitest'
import { mskIamToken } from './msk-iam-token.ts'

test("a token is a request to connect, signed with the credentials of the function's role", async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'never-in-the-token')
  vi.stubEnv('AWS_SESSION_TOKEN', 'of-the-role')
  onTestFinished(() => void vi.unstubAllEnvs())
  const token = await mskIamToken({ AWS_REGION: 'eu-central-1' })()
  const signed = new URL(Buffer.from(token, 'base64url').toString())
  expect(signed.host).toBe('kafka.eu-central-1.amazonaws.com')
  expect(Object.fromEntries(signed.searchParams)).toMatchObject({
    Action: 'kafka-cluster:Connect',
    'X-Amz-Credential': expect.stringMatching(
      /^AKIDEXAMPLE\/\d{8}\/eu-central-1\/kafka-cluster\/aws4_request$/,
    ),
    'X-Amz-Security-Token': 'of-the-role',
    'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect(signed.href).not.toContain('never-in-the-token')
})
