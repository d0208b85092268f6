export { createHttpApi } from './http-api.ts'
export type { HttpApi, HttpApiOptions, HttpReply, HttpRoutes } from './http-api.ts'
export { answerJson, answerUnavailable, InvalidRequest, Problem, UnavailableError } from './answers.ts'
