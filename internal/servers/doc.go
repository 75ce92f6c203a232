// Package servers starts real servers for tests: Redis (alone, with Sentinel, as a Cluster), PostgreSQL and
// PgBouncer, on free ports of 127.0.0.1. A test can kill, pause, stop and restart them. They end with the test
// that started them, also where it fails, and with its process where that is killed.
//
// Servers run on Linux. Where the system or a program is missing, the test is skipped with NOT RUN in what it says;
// under CI (the environment variable) it fails. scripts/need-servers installs the programs on a Debian.
//
// A server that a package's tests share begins with the first test that asks for it (SharedRedis,
// SharedPostgres) and ends with Run, which the package's TestMain calls.
package servers
