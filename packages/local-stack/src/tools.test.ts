import { expect, test } from 'vitest'
import { parseJavaVersion } from './tools.ts'

test.each([
  {
    name: 'Debian 17',
    output:
      'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)\n',
    expected: { major: 17, version: '17.0.15+6-Debian-1deb12u1' },
  },
  {
    name: 'Java 8, which calls itself 1.8',
    output: 'java version "1.8.0_402"\nJava(TM) SE Runtime Environment (build 1.8.0_402-b08)\n',
    expected: { major: 8, version: '1.8.0_402-b08' },
  },
  {
    name: 'a first release, without minor version',
    output: 'openjdk version "25" 2025-09-16\nOpenJDK Runtime Environment Temurin-25+36 (build 25+36-LTS)\n',
    expected: { major: 25, version: '25+36-LTS' },
  },
  {
    name: 'early access',
    output: 'openjdk version "26-ea" 2026-03-17\n',
    expected: { major: 26, version: '26-ea' },
  },
  { name: 'the stub of macOS', output: 'Unable to locate a Java Runtime.\n', expected: null },
])('reads the version of $name', ({ output, expected }) => {
  expect(parseJavaVersion(output)).toEqual(expected)
})
