// Package store holds what keeps the records of sessions: Memory, for one process, and Moving, for the
// time in which sessions move from one store to another. Stores that need a driver or a server are in
// packages of their own below this one, and store/storetest is the suite that any store of yours can be
// tested with.
//
// Begin with NewMemory(nil). Where a restart must not sign everybody out, or there is more than one
// process, take a store that several processes share. All of them keep the contract in the doc of
// session.Store.
package store
