module github.com/alexedwards/scs/v2

go 1.26.0

require example.com/hardy v0.0.0-00010101000000-000000000000

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/time v0.16.0 // indirect
)

replace example.com/hardy => ../..
