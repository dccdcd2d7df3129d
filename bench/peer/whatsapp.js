// Where WhatsApp is, and whom to trust: WhatsApp itself, or the simulator that the environment names.

import { createSecureContext } from 'node:tls'
import makeWASocket, { Browsers, WA_CERT_DETAILS } from 'baileys'
import { HttpsProxyAgent } from 'https-proxy-agent'
import pino from 'pino'

const { HTTPS_PROXY, WHATSAPP_NOISE_ROOT } = process.env

// Baileys holds the server's Noise certificate against a constant. It is exchanged in this
// process's memory; nothing on disk changes.
if (WHATSAPP_NOISE_ROOT) WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(WHATSAPP_NOISE_ROOT, 'hex')

// Made once: to parse certificates for each connection would cost more than the handshake. They are
// Node's own ones, and those of NODE_EXTRA_CA_CERTS.
const secureContext = createSecureContext()

class Proxy extends HttpsProxyAgent {
  connect(request, options) {
    return super.connect(request, { ...options, secureContext })
  }
}

const agent = HTTPS_PROXY ? new Proxy(HTTPS_PROXY) : undefined
const logger = pino({ level: 'silent' })

export const dial = auth =>
  makeWASocket({
    auth,
    agent,
    logger,
    browser: Browsers.ubuntu('Chrome'),
    markOnlineOnConnect: false,
    syncFullHistory: false
  })
