// The REST service: the same contract as the product, all Baileys sockets in this one process.

import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import express from 'express'
import QRCode from 'qrcode'
import { send } from './forwarding.js'
import { Session } from './session.js'
import { Store } from './store.js'

const RECONNECT_WAIT_MS = 5_000
const RETRY_MS = 1_000
const { API_TOKEN, DATA_DIR, HOST = '127.0.0.1', PORT = '3000' } = process.env
if (!API_TOKEN || !DATA_DIR) throw new Error('API_TOKEN and DATA_DIR must be set')

// Baileys lets some promises fail when a connection is cut; one link's trouble is not the others'.
process.on('unhandledRejection', error => console.error(error))

mkdirSync(DATA_DIR, { recursive: true, mode: 0o700 })
const store = new Store(join(DATA_DIR, 'peer.sqlite3'))
const sessions = new Map()

const sessionOf = id => {
  if (!sessions.has(id)) sessions.set(id, new Session(id, store))
  return sessions.get(id)
}

// Digests of tokens: of one organization, or of all of them (null).
const digest = token => createHash('sha256').update(token).digest('base64')
const tokens = new Map([...store.tokens(), [digest(API_TOKEN), null]])
const newToken = organization => {
  const token = randomBytes(32).toString('base64url')
  store.addToken(digest(token), organization)
  tokens.set(digest(token), organization)
  return token
}
const refuse = (response, status, code, message) =>
  response.status(status).json({ success: false, code, message })

const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.use((request, response, next) => {
  const organization = tokens.get(digest((request.get('Authorization') ?? '').slice('Bearer '.length)))
  if (organization === undefined) {
    return refuse(response, 401, 'not_authenticated', 'A token is needed')
  }
  request.organization = organization
  return next()
})

app.get('/healthz', (request, response) => response.json({ status: 'ok', pid: process.pid }))

const onlyForAll = (request, response, next) =>
  request.organization === null ? next() : refuse(response, 403, 'denied', 'It may not do this')

app.post('/api/v1/tokens', onlyForAll, (request, response) =>
  response.status(201).json({ token: newToken(null) }))

app.post('/api/v1/organizations', onlyForAll, express.json({ limit: '64kb' }), (request, response) => {
  const name = request.body?.name
  if (typeof name !== 'string' || !name.trim()) {
    return refuse(response, 400, 'invalid', 'name: this is needed')
  }
  return response.status(201).json({ id: store.addOrganization(name.trim()), name: name.trim() })
})

const withSession = (request, response, next) => {
  const id = Number(request.params.id)
  const isForeign = request.organization !== null && request.organization !== id
  if (isForeign || !Number.isSafeInteger(id) || !(sessions.has(id) || store.hasOrganization(id))) {
    return refuse(response, 404, 'not_found', 'There is no such organization')
  }
  request.session = sessionOf(id)
  return next()
}
const whatsapp = express.Router()
app.use('/api/v1/organizations/:id/whatsapp', withSession, whatsapp)

app.post('/api/v1/organizations/:id/tokens', withSession, onlyForAll, (request, response) =>
  response.status(201).json({ token: newToken(request.session.id) }))

const json = express.json({ limit: '64kb' })

app.post('/api/v1/organizations/:id/messages', withSession, json, async (request, response) => {
  const { session, body } = request
  if (session.state !== 'connected') {
    return refuse(response, 409, 'not_connected', 'WhatsApp is not connected')
  }
  const id = await send(session.socket, body.to, body.text.body)
  return response.status(202).json({ success: true, id, state: 'sent' })
})

// Kept in memory only, as all of the forwarding.
app.post('/api/v1/organizations/:id/webhooks', withSession, json, (request, response) => {
  request.session.webhook = request.body.url
  return response.status(201).json({ success: true, url: request.body.url })
})

const picture = session => QRCode.toDataURL(session.qr, { errorCorrectionLevel: 'L', scale: 8 })

whatsapp.post('/reconnect', async (request, response) => {
  const { session } = request
  await session.inTurn(() => {
    if (session.state === 'disconnected') session.open()
  })
  if (session.state === 'connected') {
    return refuse(response, 409, 'already_connected', 'WhatsApp is already connected')
  }
  await session.settled(RECONNECT_WAIT_MS)
  if (session.qr) {
    return response.json({ success: true, message: 'Scan the code', qrCode: await picture(session) })
  }
  if (session.state === 'connected') {
    return response.json({ success: true, message: 'Connected', qrCode: null })
  }
  response.set('Retry-After', String(RETRY_MS / 1000))
  return response.status(202).json({ message: 'No code yet; ask again', retryIn: RETRY_MS })
})

whatsapp.get('/qrcode', async (request, response) => {
  const { session } = request
  if (!session.qr) return refuse(response, 404, 'qr_not_available', 'There is no QR code')
  return response.json({ success: true, message: 'Scan the code', qrCode: await picture(session) })
})

whatsapp.get('/status', (request, response) => {
  const { state, reason, since, qr, socket } = request.session
  const isConnected = state === 'connected'
  const isDisconnected = state === 'disconnected'
  response.json({
    success: true,
    authType: 'baileys',
    connectionStatus: isConnected || isDisconnected ? state : 'connecting',
    isConnected,
    isDisconnected,
    hasQRCode: qr !== null,
    canReconnect: isDisconnected,
    state,
    reason,
    number: socket?.user?.id.split(/[:@]/)[0] ?? null,
    since: since.toISOString()
  })
})

whatsapp.delete('/disconnect', async (request, response) => {
  await request.session.disconnect()
  response.json({ success: true, message: 'Logged out, credentials deleted' })
})

whatsapp.post('/cancel', async (request, response) => {
  if (request.session.state !== 'connected') await request.session.disconnect('cancelled')
  response.json({ success: true, message: 'Cancelled' })
})

app.use((request, response) => refuse(response, 404, 'not_found', 'There is no such page'))
app.use((error, request, response, next) => {
  console.error(error)
  return response.headersSent ? next(error) : refuse(response, 500, 'error', 'It did not work')
})

const server = app.listen(Number(PORT), HOST, () => {
  for (const id of store.linkedOrganizations()) sessionOf(id).open()
})

const stop = async () => {
  server.close()
  server.closeIdleConnections()
  const patience = new Promise(resolve => setTimeout(resolve, 5_000))
  await Promise.race([Promise.allSettled([...sessions.values()].map(s => s.close())), patience])
  store.close()
  process.exit(0)
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
