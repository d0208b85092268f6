import type { BearerToken } from '@kafka-pattern/kafka-config'

/**
 * Tokens for the IAM authentication of Amazon MSK, signed with the credentials of the function's role. The signer brings the
 * AWS SDK, which is loaded with the first token and not before.
 */
export function mskIamToken({ AWS_REGION: region = '' }: { AWS_REGION?: string | undefined }): BearerToken {
  return async () => {
    const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js')
    const { token } = await generateAuthToken({ region })
    return token
  }
}
