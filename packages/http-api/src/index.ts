export { createHttpApi } from './http-api.ts'
export type { HttpApi, HttpApiOptions, HttpReply, HttpRoutes } from './http-api.ts'
export { answerJson, answerUnavailable, UnavailableError } from './answers.ts'
export { correlationIdFrom } from './correlation-id.ts'
export { parseJsonBody, UnreadableBodyError } from './json-body.ts'
export {
  bodyTooLarge,
  internalError,
  invalidRequest,
  InvalidRequest,
  Problem,
  wrongContentType,
} from './refusals.ts'
export type { Refusal } from './refusals.ts'
