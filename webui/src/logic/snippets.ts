/** Snippet is code that verifies our calls in a business system. */
export interface Snippet {
  key: string;
  name: string;
  code: string;
}

const go = `// go get github.com/standard-webhooks/standard-webhooks/libraries
import standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

func receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	wh, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_SECRET")) // whsec_…
	if err != nil || wh.Verify(body, r.Header) != nil {
		http.Error(w, "bad signature", http.StatusUnauthorized)
		return
	}
	id := r.Header.Get("webhook-id") // the same when it comes again
	handle(id, body)
	w.WriteHeader(http.StatusNoContent)
}`;

const node = `const { createHmac, timingSafeEqual } = require('node:crypto');

// body: the raw bytes, before any JSON or XML parser has seen them.
function verify(body, headers, secret = process.env.WEBHOOK_SECRET) {
  const id = headers['webhook-id'] ?? '';
  const at = headers['webhook-timestamp'] ?? '';
  if (!(Math.abs(Date.now() / 1000 - Number(at)) <= 300)) return false; // too old
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const want = createHmac('sha256', key).update(\`\${id}.\${at}.\`).update(body).digest();
  return (headers['webhook-signature'] ?? '').split(' ').some((part) => {
    const [version, text = ''] = part.split(',');
    const got = Buffer.from(text, 'base64');
    return version === 'v1' && got.length === want.length && timingSafeEqual(got, want);
  });
}`;

const python = `import base64, hashlib, hmac, os, time

# body: the raw bytes of the request; headers: names in lower case
def verify(body, headers, secret=os.environ.get("WEBHOOK_SECRET", "")):
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > 300:
        return False  # too old
    key = base64.b64decode(secret.removeprefix("whsec_"))
    want = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
    want = "v1," + base64.b64encode(want).decode()
    got = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(want.encode(), part.encode()) for part in got)`;

const java = `static boolean verify(byte[] body, String id, String at, String signature) throws Exception {
  if (!at.matches("\\\\d{1,15}") || Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(at)) > 300) {
    return false; // too old
  }
  String secret = System.getenv("WEBHOOK_SECRET").replaceFirst("^whsec_", "");
  Mac mac = Mac.getInstance("HmacSHA256");
  mac.init(new SecretKeySpec(Base64.getDecoder().decode(secret), "HmacSHA256"));
  mac.update((id + "." + at + ".").getBytes(StandardCharsets.UTF_8));
  byte[] want = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
  for (String part : signature.split(" ")) {
    if (MessageDigest.isEqual(want, part.getBytes(StandardCharsets.UTF_8))) return true;
  }
  return false;
}`;

/** snippets verify a call in the languages that business systems are written in. None of them holds a secret. */
export const snippets: readonly Snippet[] = [
  { key: 'node', name: 'Node.js', code: node },
  { key: 'java', name: 'Java', code: java },
  { key: 'python', name: 'Python', code: python },
  { key: 'go', name: 'Go', code: go },
];
