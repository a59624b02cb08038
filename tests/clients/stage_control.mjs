// What Open Stage Control does with a session, as far as its manual says: widgets that send what is
// touched, take over what comes in at their address, and run their scripts. Reads
// {session, commands} and prints what came of each command, one line of JSON each:
//     ["touch", id, value]      -> [[address, type tags, values], …] that were sent
//     ["receive", address, …]   -> the same: what was sent because of it
//     ["get", id]               -> the value of a widget
import { readFileSync } from 'node:fs'

const { session, commands } = JSON.parse(readFileSync(0, 'utf8'))
const widgets = new Map()
let sent = []

function take(widget) {
    if (widgets.has(widget.id)) throw Error(`there are two widgets ${widget.id}`)
    widgets.set(widget.id, widget)
    for (const child of [...(widget.widgets ?? []), ...(widget.tabs ?? [])]) take(child)
}
take(session.content)

function named(id) {
    if (!widgets.has(id)) throw Error(`there is no widget ${id}`)
    return widgets.get(id)
}

function tagged(value, tag) {
    if (value !== null && typeof value === 'object') return [value.type, value.value]
    return [tag || (typeof value === 'string' ? 's' : 'f'), value]
}

function post(address, values, tags = '') {
    const pairs = values.map((value, i) => tagged(value, tags[i] ?? tags[tags.length - 1]))
    sent.push([address, pairs.map(([tag]) => tag).join(''), pairs.map(([, value]) => value)])
}

function accepted(widget, value) {
    const { on = 1, off = 0 } = widget
    switch (widget.type) {
    case 'fader':
    case 'knob':
        if (typeof value !== 'number') return undefined
        return Math.min(Math.max(value, widget.range.min), widget.range.max)
    case 'switch':
    case 'dropdown':
        return widget.values.includes(value) ? value : null
    case 'button':
        return value === on || value === off ? value : undefined
    default:
        return value
    }
}

function put(widget, value, options) {
    const found = accepted(widget, value)
    if (found === undefined && widget.mode !== 'momentary') return
    widget.value = found
    if (options.send && !widget.bypass) {
        const values = widget.mode === 'momentary' ? [] : [found].flat()
        post(widget.address, values, widget.typeTags)
    }
    if (options.sync && widget.onValue) run(widget.onValue, options, found)
}

function run(script, options, value) {
    const get = (id) => named(id).value
    const set = (id, given, more = {}) => put(named(id), given, {
        send: options.send && more.send !== false,
        sync: options.sync && more.sync !== false,
    })
    const send = (address, ...values) => { if (options.send) post(address, values) }
    const setInterval = (callback, delay) => { if (delay >= 60000) throw Error('too seldom') }
    Function('get', 'set', 'send', 'setInterval', 'value', script)(get, set, send, setInterval, value)
}

run(session.content.onCreate, { send: true, sync: true })
console.log(JSON.stringify(sent))
for (const [verb, name, ...values] of commands) {
    sent = []
    if (verb === 'touch') {
        put(named(name), values[0], { send: true, sync: true })
    } else if (verb === 'receive') {
        const value = values.length === 1 ? values[0] : values
        for (const widget of widgets.values()) {
            if (widget.address === name) put(widget, value, { send: false, sync: true })
        }
    }
    console.log(JSON.stringify(verb === 'get' ? named(name).value ?? null : sent))
}
