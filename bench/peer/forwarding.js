// Forwards messages at once, in both directions. Nothing is kept, put in order or tried again.

// Returns when Baileys has written the message to its socket.
export const send = async (socket, to, text) => {
  const sent = await socket.sendMessage(`${to.replace(/\D/g, '')}@s.whatsapp.net`, { text })
  return sent.key.id
}

// Posts each received message to a URL.
export const forward = ({ messages, type }, organization, url) => {
  if (type !== 'notify' || !url) return
  for (const { key, message, pushName, messageTimestamp } of messages) {
    const text = message?.conversation ?? message?.extendedTextMessage?.text
    if (key.fromMe || text === undefined) continue
    const from = { id: key.remoteJid, name: pushName }
    const data = { id: key.id, from, type: 'text', text: { body: text }, at: Number(messageTimestamp) }
    void post(url, { type: 'message.received', organization, data })
  }
}

const post = async (url, event) => {
  try {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) })
    await answer.arrayBuffer()
  } catch (error) {
    console.error(error)
  }
}
