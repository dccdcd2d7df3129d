// One organization's connection: at most one Baileys socket, and what is to be said about it.

import { setTimeout as delay } from 'node:timers/promises'
import { DisconnectReason } from 'baileys'
import { forward } from './forwarding.js'
import { dial } from './whatsapp.js'

const LOGOUT_MS = 8_000
const LONGEST_BACKOFF_MS = 30_000
const PAIRING_DIALS = 6
// After these nobody but a person can help; anything else is tried again.
const FINAL = new Map([
  [DisconnectReason.loggedOut, 'logged_out'],
  [DisconnectReason.forbidden, 'forbidden'],
  [DisconnectReason.badSession, 'bad_session'],
  [DisconnectReason.multideviceMismatch, 'multidevice_mismatch'],
  [DisconnectReason.connectionReplaced, 'replaced']
])

export class Session {
  constructor(id, store) {
    this.id = id
    this.store = store
    this.waiting = new Set()
    this.queue = Promise.resolve()
    this.socket = null
    this.webhook = null
    this.become('disconnected', 'never_linked')
  }

  get isLinked() {
    return Boolean(this.socket?.authState.creds.me)
  }

  // Dial with the saved credentials, or for a pairing when there are none.
  open() {
    this.failures = 0
    this.become('connecting', 'dialling')
    this.dial()
  }

  // Log out if linked, close, and delete the credentials.
  disconnect(reason = 'disconnected') {
    return this.inTurn(async () => {
      const { socket, isLinked } = this
      this.leave()
      if (socket && isLinked && this.state === 'connected') {
        await Promise.race([socket.logout(), delay(LOGOUT_MS, undefined, { ref: false })]).catch(() => {})
      } else {
        void socket?.end()
      }
      this.store.forget(this.id)
      this.become('disconnected', reason)
    })
  }

  // Close and keep everything, for a stop of the service.
  close() {
    const { socket } = this
    this.leave()
    return socket?.end()
  }

  // Until there is a code to show, or nothing to wait for any more. False when it takes too long.
  async settled(ms) {
    const deadline = Date.now() + ms
    while (this.state === 'connecting' || this.state === 'reconnecting') {
      const left = deadline - Date.now()
      if (left <= 0) return false
      await this.changed(left)
    }
    return true
  }

  changed(ms) {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.waiting.add(done)
    })
  }

  // One command after the other.
  inTurn(work) {
    const done = this.queue.then(work)
    this.queue = done.catch(() => {})
    return done
  }

  become(state, reason, qr = null) {
    if (state !== this.state) this.since = new Date()
    Object.assign(this, { state, reason, qr })
    for (const done of [...this.waiting]) done()
  }

  leave() {
    clearTimeout(this.timer)
    this.socket = null
  }

  dial() {
    const { state, save } = this.store.authState(this.id)
    const socket = (this.socket = dial(state))
    // What a socket says that has been left is of no interest, and must not bring keys back.
    const mine = handle => update => this.socket === socket && handle(update)
    socket.ev.on('creds.update', mine(save))
    socket.ev.on('connection.update', mine(update => this.observe(update)))
    socket.ev.on('messages.upsert', mine(update => forward(update, this.id, this.webhook)))
  }

  observe({ connection, lastDisconnect, qr }) {
    if (qr) this.become('awaiting_scan', 'code_shown', qr)
    if (connection === 'open') {
      this.failures = 0
      this.store.markLinked(this.id)
      this.become('connected', 'linked')
    }
    if (connection === 'close') this.lost(lastDisconnect?.error?.output?.statusCode)
  }

  lost(code) {
    const { isLinked } = this
    this.leave()
    if (code === DisconnectReason.restartRequired) return this.again('connecting', 0)
    const reason = FINAL.get(code) ?? (isLinked ? null : this.whyPairingEnded(code))
    if (!reason) return this.again(isLinked ? 'reconnecting' : 'connecting', this.backoff())
    if (!isLinked || code === DisconnectReason.loggedOut) this.store.forget(this.id)
    this.become('disconnected', reason)
  }

  // A code that nobody scanned, or no way to WhatsApp; a pairing that was cut gets a new code.
  whyPairingEnded(code) {
    if (this.state === 'awaiting_scan' && code === DisconnectReason.timedOut) return 'qr_expired'
    return this.failures < PAIRING_DIALS ? null : 'unreachable'
  }

  again(state, ms) {
    this.become(state, 'dialling')
    if (ms === 0) this.dial()
    else this.timer = setTimeout(() => this.dial(), ms)
  }

  // The first time at once, then after 1, 2, 4… seconds, each with some luck, so that they part.
  backoff() {
    const failures = this.failures++
    if (failures === 0) return 0
    return Math.min(1_000 * 2 ** (failures - 1), LONGEST_BACKOFF_MS) * (0.5 + Math.random() / 2)
  }
}
