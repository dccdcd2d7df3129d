"""Code that checks signatures, to be copied into the software of a receiver.

It needs nothing but the standard library. The tests run it on what is really sent.
"""

PYTHON_STANDARD = '''\
import base64, hmac, os, time

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))

def is_genuine(headers, body):
    """headers: names in lower case; body: the bytes as they came."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False  # Somebody sends an old request again.
    signed = f"{headers.get('webhook-id')}.{sent_at}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256"))
    # Two signatures while the secret is rotated.
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(wanted, each) for each in given)
'''

NODE_STANDARD = """\
const { createHmac, timingSafeEqual } = require("node:crypto");

const KEY = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");

// headers: names in lower case; body: the Buffer as it came.
function isGenuine(headers, body) {
  const sentAt = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) <= 300)) return false; // Sent again.
  const hmac = createHmac("sha256", KEY).update(`${headers["webhook-id"]}.${sentAt}.`);
  const wanted = Buffer.from("v1," + hmac.update(body).digest("base64"));
  // Two signatures while the secret is rotated.
  const signatures = headers["webhook-signature"] ?? "";
  return signatures.split(" ").map((each) => Buffer.from(each)).some(
    (given) => given.length === wanted.length && timingSafeEqual(given, wanted));
}
"""

PYTHON_CLOUD = '''\
import hmac, os

SECRET = os.environ["WEBHOOK_SECRET"].encode()

def is_genuine(headers, body):
    """headers: names in lower case; body: the bytes as they came."""
    wanted = "sha256=" + hmac.new(SECRET, body, "sha256").hexdigest()
    return hmac.compare_digest(wanted.encode(), headers.get("x-hub-signature-256", "").encode())
'''

NODE_CLOUD = """\
const { createHmac, timingSafeEqual } = require("node:crypto");

// headers: names in lower case; body: the Buffer as it came.
function isGenuine(headers, body) {
  const hmac = createHmac("sha256", process.env.WEBHOOK_SECRET).update(body);
  const wanted = Buffer.from("sha256=" + hmac.digest("hex"));
  const given = Buffer.from(headers["x-hub-signature-256"] ?? "");
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
"""

CHECKS = {
    ("standard", "python"): PYTHON_STANDARD,
    ("standard", "node"): NODE_STANDARD,
    ("cloud", "python"): PYTHON_CLOUD,
    ("cloud", "node"): NODE_CLOUD,
}
"""By format and language."""
