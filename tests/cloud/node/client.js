// Uses @great-detail/whatsapp with another base URL, and prints what came of each step as JSON.
// Arguments: base URL, token, phone number id, recipient, id of a received message.
import CloudAPI from '@great-detail/whatsapp'

const [baseUrl, token, phoneNumberID, to, received] = process.argv.slice(2)

const sdk = new CloudAPI({ baseUrl, request: { headers: { Authorization: `Bearer ${token}` } } })
const stranger = new CloudAPI({ baseUrl, request: { headers: { Authorization: 'Bearer wrong' } } })

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

function send(message) {
  return sdk.message.createMessage({ phoneNumberID, to, ...message }).json()
}

async function failure(promise) {
  try {
    await promise
  } catch (error) {
    return { status: error.response.status, ...(error.data ?? (await error.response.json())).error }
  }
  throw new Error('it did not fail')
}

const told = {}
told.text = await send({ type: 'text', text: { body: 'Olá' } })
told.answer = await send({
  type: 'text',
  text: { body: 'Resposta' },
  context: { message_id: received },
})
told.reaction = await send({ type: 'reaction', reaction: { message_id: received, emoji: '👍' } })
told.location = await send({ type: 'location', location: { latitude: -23.5, longitude: 46.25 } })

const file = new Blob([PNG], { type: 'image/png' })
const upload = { phoneNumberID, file, filename: 'a.png', mimeType: 'image/png' }
told.upload = await sdk.media.upload(upload).json()
const mediaID = told.upload.id
told.image = await send({ type: 'image', image: { id: mediaID, caption: 'Bolo' } })
told.url = await sdk.media.getURL({ mediaID, phoneNumberID }).json()
const content = await sdk.media.download({ mediaURL: told.url.url })
told.same = Buffer.from(await content.arrayBuffer()).equals(PNG)
const spare = (await sdk.media.upload(upload).json()).id
told.deleted = await sdk.media.delete({ mediaID: spare, phoneNumberID }).json()

told.read = await sdk.message
  .createStatus({ phoneNumberID, status: 'read', message_id: received })
  .json()
told.typing = await sdk.message
  .createStatus({
    phoneNumberID,
    status: 'read',
    message_id: received,
    typing_indicator: { type: 'text' },
  })
  .json()

told.number = await sdk.phoneNumbers.getPhoneNumber({ phoneNumberID }).json()
told.numbers = await sdk.phoneNumbers.listPhoneNumbers({ businessAccountID: phoneNumberID }).json()
told.apps = await sdk.subscribedApps
  .listSubscriptions({ businessAccountID: phoneNumberID })
  .json()
told.subscribed = await sdk.subscribedApps
  .createSubscription({ businessAccountID: phoneNumberID })
  .json()
told.templates = await sdk.template.list(phoneNumberID, {}).json()

told.failures = {
  token: await failure(
    stranger.message.createMessage({ phoneNumberID, to, type: 'text', text: { body: 'x' } }),
  ),
  template: await failure(
    sdk.message.createMessage({ phoneNumberID, to, type: 'template', template: { name: 'x' } }),
  ),
  text: await failure(
    sdk.message.createMessage({ phoneNumberID, to, type: 'text', text: { body: ' ' } }),
  ),
  method: await failure(sdk.phoneNumbers.updatePhoneNumber({ phoneNumberID })),
}
console.log(JSON.stringify(told))
