// What survives a restart: organizations and their credentials, in one SQLite database.
//
// Baileys ships useMultiFileAuthState and says itself that it is not for production: it writes a
// file for each of 812 prekeys and keeps a lock for each in memory for ever. This is what its
// documentation asks for instead.

import { DatabaseSync } from 'node:sqlite'
import { BufferJSON, initAuthCreds, proto } from 'baileys'

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS organizations (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, linked INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS credentials (
    organization INTEGER PRIMARY KEY REFERENCES organizations, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS keys (
    organization INTEGER NOT NULL REFERENCES organizations,
    type TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (organization, type, id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, organization INTEGER REFERENCES organizations) WITHOUT ROWID;
`

const encode = value => JSON.stringify(value, BufferJSON.replacer)
const decode = text => JSON.parse(text, BufferJSON.reviver)

export class Store {
  constructor(path) {
    const database = (this.database = new DatabaseSync(path))
    database.exec(SCHEMA)
    this.sql = {
      add: database.prepare('INSERT INTO organizations (name) VALUES (?)'),
      exists: database.prepare('SELECT 1 FROM organizations WHERE id = ?'),
      linked: database.prepare('SELECT id FROM organizations WHERE linked = 1'),
      link: database.prepare('UPDATE organizations SET linked = ? WHERE id = ?'),
      readCredentials: database.prepare('SELECT value FROM credentials WHERE organization = ?'),
      writeCredentials: database.prepare('INSERT OR REPLACE INTO credentials VALUES (?, ?)'),
      forgetCredentials: database.prepare('DELETE FROM credentials WHERE organization = ?'),
      readKey: database.prepare(
        'SELECT value FROM keys WHERE organization = ? AND type = ? AND id = ?'),
      writeKey: database.prepare('INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)'),
      deleteKey: database.prepare('DELETE FROM keys WHERE organization = ? AND type = ? AND id = ?'),
      addToken: database.prepare('INSERT INTO tokens VALUES (?, ?)'),
      tokens: database.prepare('SELECT digest, organization FROM tokens'),
      forgetKeys: database.prepare('DELETE FROM keys WHERE organization = ?')
    }
  }

  addOrganization(name) {
    return Number(this.sql.add.run(name).lastInsertRowid)
  }

  // For one organization, or for all of them (null).
  addToken(digest, organization) {
    this.sql.addToken.run(digest, organization)
  }

  tokens() {
    return this.sql.tokens.all().map(row => [row.digest, row.organization])
  }

  hasOrganization(id) {
    return this.sql.exists.get(id) !== undefined
  }

  linkedOrganizations() {
    return this.sql.linked.all().map(row => row.id)
  }

  markLinked(id) {
    this.sql.link.run(1, id)
  }

  // Delete an organization's credentials.
  forget(id) {
    this.transaction(() => {
      this.sql.link.run(0, id)
      this.sql.forgetCredentials.run(id)
      this.sql.forgetKeys.run(id)
    })
  }

  // The state that Baileys wants, and a function that saves its credentials.
  authState(id) {
    const row = this.sql.readCredentials.get(id)
    const creds = row ? decode(row.value) : initAuthCreds()
    const keys = {
      get: async (type, ids) => this.readKeys(id, type, ids),
      set: async data => this.writeKeys(id, data)
    }
    return {
      state: { creds, keys },
      save: () => this.sql.writeCredentials.run(id, encode(creds))
    }
  }

  readKeys(organization, type, ids) {
    const found = {}
    for (const id of ids) {
      const row = this.sql.readKey.get(organization, type, id)
      if (!row) continue
      const value = decode(row.value)
      found[id] =
        type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value
    }
    return found
  }

  writeKeys(organization, data) {
    this.transaction(() => {
      for (const [type, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values)) {
          if (value) this.sql.writeKey.run(organization, type, id, encode(value))
          else this.sql.deleteKey.run(organization, type, id)
        }
      }
    })
  }

  transaction(work) {
    this.database.exec('BEGIN')
    try {
      work()
      this.database.exec('COMMIT')
    } catch (error) {
      this.database.exec('ROLLBACK')
      throw error
    }
  }

  close() {
    this.database.close()
  }
}
