// Every word of the page but those of the figures, in English and Welsh. The languages hold the same keys: a test
// compares them.

export const WORDS = {
  en: {
    title: 'Wallboard', view: 'View', room: 'Room', supervisor: 'Supervisor', queue: 'Single queue', theme: 'Theme', auto: 'As the system',
    light: 'Light', dark: 'Dark', contrast: 'High contrast', text_size: 'Text', language: 'Language', sound: 'Sound on a new 999 ACT',
    queues: 'Queues', target: 'target', limit: 'limit', within: 'within', nine_of_ten: '9 of 10 within', in_target: 'in target',
    oldest: 'oldest', trend: '{figure}, last 60 min', ok: 'OK', watch: 'WATCH', act: 'ACT',
    no_data: 'no data', empty: 'nobody waits', callbacks: { one: '{count} call-back', other: '{count} call-backs' },
    live: 'live', late: 'feed late', dead: 'feed dead', unknown: 'feed never heard',
    late_long: 'The data are {age} old: do not rely on them.', dead_long: 'No live data since {time}.',
    unknown_long: 'This room has never been heard.', catching_up: 'catching up',
    unreachable: 'The server cannot be reached. What is shown is from {time}.', kafka_lost: 'The server has had no boards since {time}.',
    no_rooms: 'No control room has been heard yet.', broken_sums: 'The figures do not add up: do not publish them.',
    no_room: 'No control room {centre} has been heard.', no_queue: 'No queue {queue} has been heard in {centre}.',
    handlers: 'Handlers', available: 'available', ringing: 'ringing', talking: 'talking', hold: 'on hold', wrap_up: 'wrap-up',
    not_ready: 'not ready', logged_out: 'logged out', unheard: 'not heard of', line: 'Line', place: 'Place', waited: 'Waited',
    remarks: 'Remarks', priority: 'priority {value}', rings: 'rings', uncounted: 'not counted', promise: 'Promises kept', announcements: 'Last announcements',
    pending: 'not yet known', played: 'played', expired: 'expired', failed: 'failed', cut_by_answer: 'cut by the answer',
    caller_left: 'caller left', cancelled: 'taken back', said_nothing: 'Nothing was said since the server started.',
    hidden: 'Waiting visits and announcements are shown to supervisors only.', nobody: '–',
    later: 'Not computed yet', more: '{count} more', user: 'User', password: 'Password', log_in: 'Log in', log_out: 'Log out',
    wrong_login: 'The name or the password is wrong.',
  },
  cy: {
    title: 'Bwrdd wal', view: 'Golwg', room: 'Ystafell', supervisor: 'Goruchwyliwr', queue: 'Un ciw', theme: 'Thema', auto: 'Fel y system',
    light: 'Golau', dark: 'Tywyll', contrast: 'Cyferbyniad uchel', text_size: 'Testun', language: 'Iaith', sound: 'Sain ar GWEITHREDU 999 newydd',
    queues: 'Ciwiau', target: 'targed', limit: 'terfyn', within: 'o fewn', nine_of_ten: '9 o bob 10 o fewn', in_target: 'o fewn y targed',
    oldest: 'hynaf', trend: '{figure}, 60 munud diwethaf', ok: 'IAWN', watch: 'GWYLIO', act: 'GWEITHREDU',
    no_data: 'dim data', empty: 'neb yn aros', callbacks: { one: '{count} alwad yn ôl', two: '{count} alwad yn ôl', other: '{count} galwad yn ôl' },
    live: 'byw', late: 'ffrwd yn hwyr', dead: 'ffrwd wedi marw', unknown: 'ffrwd heb ei chlywed',
    late_long: 'Mae’r data’n {age} oed: peidiwch â dibynnu arno.', dead_long: 'Dim data byw ers {time}.',
    unknown_long: 'Ni chlywyd yr ystafell hon erioed.', catching_up: 'yn dal i fyny',
    unreachable: 'Ni ellir cyrraedd y gweinydd. Mae’r hyn a ddangosir o {time}.', kafka_lost: 'Nid yw’r gweinydd wedi cael byrddau ers {time}.',
    no_rooms: 'Ni chlywyd unrhyw ystafell reoli eto.', broken_sums: 'Nid yw’r ffigurau’n gwneud synnwyr: peidiwch â’u cyhoeddi.',
    no_room: 'Ni chlywyd ystafell reoli {centre}.', no_queue: 'Ni chlywyd unrhyw giw {queue} yn {centre}.',
    handlers: 'Trinwyr', available: 'ar gael', ringing: 'yn canu', talking: 'yn siarad', hold: 'ar ddal', wrap_up: 'yn cwblhau',
    not_ready: 'ddim yn barod', logged_out: 'wedi allgofnodi', unheard: 'heb eu clywed', line: 'Y ciw', place: 'Lle', waited: 'Wedi aros',
    remarks: 'Sylwadau', priority: 'blaenoriaeth {value}', rings: 'yn canu', uncounted: 'heb ei gyfrif', promise: 'Addewidion a gadwyd', announcements: 'Cyhoeddiadau diwethaf',
    pending: 'ddim yn hysbys eto', played: 'wedi’i chwarae', expired: 'wedi dod i ben', failed: 'wedi methu', cut_by_answer: 'torrwyd gan yr ateb',
    caller_left: 'gadawodd y galwr', cancelled: 'wedi’i dynnu’n ôl', said_nothing: 'Ni ddywedwyd dim ers i’r gweinydd ddechrau.',
    hidden: 'Dangosir ymweliadau sy’n aros a chyhoeddiadau i oruchwylwyr yn unig.', nobody: '–',
    later: 'Heb ei gyfrifo eto', more: '{count} arall', user: 'Defnyddiwr', password: 'Cyfrinair', log_in: 'Mewngofnodi', log_out: 'Allgofnodi',
    wrong_login: 'Mae’r enw neu’r cyfrinair yn anghywir.',
  },
};

export const LANGUAGES = { en: 'English', cy: 'Cymraeg' };

// word('late_long', { age: '20 s' }) in the language of the page; the form of a word that is counted goes by `count`.
export function word(key, values = {}) {
  const language = document.documentElement.lang;
  const found = WORDS[language]?.[key] ?? WORDS.en[key] ?? key;
  const text = typeof found === 'string' ? found : found[new Intl.PluralRules(language).select(values.count)] ?? found.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

// say({ en: 'Today', cy: 'Heddiw' }) in the language of the page.
export function say(texts) {
  return texts[document.documentElement.lang] ?? texts.en;
}
