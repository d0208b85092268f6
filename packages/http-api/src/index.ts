export { createHttpApi } from './http-api.ts'
export type { HttpApi, HttpApiOptions, HttpRoutes } from './http-api.ts'
export { answerJson, answerUnavailable, InvalidRequest, Problem } from './answers.ts'
