import { join, resolve } from 'node:path'

export const repositoryDir = resolve(import.meta.dirname, '..')

export const composeFilePath = join(repositoryDir, 'docker-compose.yml')
