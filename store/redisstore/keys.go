package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
)

// On a Cluster, what stands between the braces of a key decides where it lies. The first two characters of an id
// name one of 4,096 buckets; its records lie together with the bucket's due, so that one script reaches both:
//
//	hardy/1:{ab}cdefg…          a record: the id is abcdefg…
//	hardy/1:{ab}due             a sorted set: when a sweep looks at which record of the bucket, in ms since 1970
//	hardy/1:{<hash>}user        a sorted set: the ids of a user's records, by when their entries go; SHA-256 of the name
//	hardy/1:{format}            the format of all this
//
// A Name stands before the brace: hardy/1:shop:{ab}due.
const (
	firstBytes = "hardy/1:"
	alphabet   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	buckets    = len(alphabet) * len(alphabet)
)

// bucketOf returns the prefix of the keys in an id's bucket, and what of the id stands behind it.
func (s *Store) bucketOf(id string) (prefix, rest string) {
	return s.prefix + "{" + id[:2] + "}", id[2:]
}

// bucket returns the prefix of the n-th bucket's keys, and the first two characters of its ids.
func (s *Store) bucket(n int) (prefix, begin string) {
	begin = string([]byte{alphabet[n/len(alphabet)], alphabet[n%len(alphabet)]})
	return s.prefix + "{" + begin + "}", begin
}

func (s *Store) record(id string) string { return s.prefix + "{" + id[:2] + "}" + id[2:] }

func (s *Store) appendRecord(b []byte, id string) []byte {
	b = append(append(append(b, s.prefix...), '{'), id[:2]...)
	return append(append(b, '}'), id[2:]...)
}

func dueOf(bucket string) string { return bucket + "due" }

func (s *Store) index(user string) string {
	sum := sha256.Sum256([]byte(user))
	return s.prefix + "{" + base64.RawURLEncoding.EncodeToString(sum[:]) + "}user"
}

func (s *Store) mark() string { return s.prefix + "{format}" }

// ends is the channel on which ends are told. Channels know no database numbers.
func (s *Store) ends() string { return s.prefix + "ends" }
