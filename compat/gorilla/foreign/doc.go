// Package foreign holds tests of compat/gorilla with the libraries that applications put around gorilla/sessions. It is a
// module of its own, so that nobody who uses compat/gorilla gets them into their go.sum.
package foreign
