module example.com/hardy/e2e

go 1.26.0

replace example.com/hardy => ../

require (
	example.com/hardy v0.0.0
	github.com/coder/websocket v1.8.15
)

require (
	github.com/fxamacker/cbor/v2 v2.9.6 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)
