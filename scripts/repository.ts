import { join, resolve } from 'node:path'

export const repositoryDir = resolve(import.meta.dirname, '..')

export const composeFilePath = join(repositoryDir, 'docker-compose.yml')

/** Tables, users and grants, numbered in the order in which they are loaded. */
export const mysqlSchemaDir = join(repositoryDir, 'infra', 'mysql')
