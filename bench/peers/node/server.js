// Node's `ws`: `send` to every client. Arguments: BEFORE AFTER, in hex.
const { WebSocketServer, WebSocket } = require('ws')

const [before, after] = process.argv.slice(2).map((hex) => Buffer.from(hex, 'hex').toString())
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, backlog: 2048, perMessageDeflate: false })

server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })))

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (stamp) => {
    const data = before + stamp + after
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data)
    }
  })
  .on('close', () => process.exit(0))
