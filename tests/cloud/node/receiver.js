// Receives webhooks with @great-detail/whatsapp, and prints each as a line of JSON.
// Arguments: port, verify token, app secret.
import { createServer } from 'node:http'
import CloudAPI from '@great-detail/whatsapp'

const [port, verifyToken, appSecret] = process.argv.slice(2)
const { webhook } = new CloudAPI()

async function read(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function answer(request) {
  const { method, headers } = request
  if (method === 'GET') {
    const query = Object.fromEntries(new URL(request.url, 'http://localhost').searchParams)
    const registration = await webhook.register({ method, query, body: '', headers })
    if (registration.verifyToken !== verifyToken) return [403, '']
    return [200, registration.accept()]
  }
  const body = await read(request)
  const event = await webhook.eventNotification({ method, query: {}, body, headers })
  await event.verifySignature(appSecret)
  console.log(JSON.stringify(event.eventNotification))
  return [200, '']
}

createServer((request, response) => {
  answer(request).then(
    ([status, text]) => response.writeHead(status).end(text),
    (error) => response.writeHead(400).end(String(error)),
  )
}).listen(Number(port), '127.0.0.1')
