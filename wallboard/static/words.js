// Every word of the page, in English and Welsh. The languages hold the same keys: a test compares them.

export const WORDS = {
  en: {
    title: 'Wallboard', view: 'View', room: 'Room', supervisor: 'Supervisor', theme: 'Theme', auto: 'As the system',
    light: 'Light', dark: 'Dark', contrast: 'High contrast', text_size: 'Text', language: 'Language', sound: 'Sound on a new 999 ACT',
    waiting: 'Waiting', oldest: 'Oldest wait', service_level: 'In target', abandoned: 'Abandoned',
    asa: 'Speed of answer', today: 'Today', target: 'target', limit: 'limit', within: 'within',
    of_15m: 'last 15 min', of_60m: 'last 60 min', now: 'now', since_midnight: 'since midnight', ok: 'OK', watch: 'WATCH', act: 'ACT',
    no_data: 'no data', empty: 'nobody waits', callbacks: 'call-backs',
    live: 'live', late: 'feed late', dead: 'feed dead', unknown: 'feed never heard',
    late_long: 'The data are {age} old: do not rely on them.', dead_long: 'No live data since {time}.',
    unknown_long: 'This room has never been heard.', catching_up: 'catching up',
    unreachable: 'The server cannot be reached. What is shown is from {time}.', kafka_lost: 'The server gets no boards since {time}.',
    no_rooms: 'No control room has been heard yet.', broken_sums: 'The figures do not add up: do not publish them.',
    handlers: 'Handlers', available: 'available', ringing: 'ringing', talking: 'talking', hold: 'on hold', wrap_up: 'wrap-up',
    not_ready: 'not ready', logged_out: 'logged out', unheard: 'not heard of', line: 'Line', place: 'Place', waited: 'Waited',
    priority: 'Priority', rings: 'rings', ring_backs: 'Ring-backs due', promise: 'Promises kept', announcements: 'Announcements',
    issued: 'issued', played: 'played', expired: 'expired', failed: 'failed', cut_by_answer: 'cut by the answer', caller_left: 'caller left',
    later: 'Not computed yet', staffing: 'Staffing gap', redials: 'Redials, and 999 after 101', origins: 'Origins',
    more: '{count} more', user: 'User', password: 'Password', log_in: 'Log in', log_out: 'Log out', wrong_login: 'The name or the password is wrong.',
    about_service_level: 'Answered within the target time, divided by those and all who waited longer, gave up after the short limit, or timed out. Who waits too long already counts as missed.',
    about_abandoned: 'Abandoned, divided by answered, abandoned and timed out. Short abandons are left out.',
    about_asa: 'The mean wait of those who were answered. Those who were not are not in it.',
    about_oldest: 'How long the person has waited who has waited longest. Call-backs are not counted.',
    about_waiting: 'Visits that joined the queue and have not left it.', about_today: 'Visits that joined since midnight.',
  },
  cy: {
    title: 'Bwrdd wal', view: 'Golwg', room: 'Ystafell', supervisor: 'Goruchwyliwr', theme: 'Thema', auto: 'Fel y system',
    light: 'Golau', dark: 'Tywyll', contrast: 'Cyferbyniad uchel', text_size: 'Testun', language: 'Iaith', sound: 'Sain ar GWEITHREDU 999 newydd',
    waiting: 'Yn aros', oldest: 'Arhosiad hiraf', service_level: 'O fewn y targed', abandoned: 'Wedi rhoi’r gorau',
    asa: 'Cyflymder ateb', today: 'Heddiw', target: 'targed', limit: 'terfyn', within: 'o fewn',
    of_15m: '15 munud diwethaf', of_60m: '60 munud diwethaf', now: 'nawr', since_midnight: 'ers hanner nos', ok: 'IAWN', watch: 'GWYLIO', act: 'GWEITHREDU',
    no_data: 'dim data', empty: 'neb yn aros', callbacks: 'galwadau’n ôl',
    live: 'byw', late: 'ffrwd yn hwyr', dead: 'ffrwd wedi marw', unknown: 'ffrwd heb ei chlywed',
    late_long: 'Mae’r data’n {age} oed: peidiwch â dibynnu arno.', dead_long: 'Dim data byw ers {time}.',
    unknown_long: 'Ni chlywyd yr ystafell hon erioed.', catching_up: 'yn dal i fyny',
    unreachable: 'Ni ellir cyrraedd y gweinydd. Mae’r hyn a ddangosir o {time}.', kafka_lost: 'Nid yw’r gweinydd yn cael byrddau ers {time}.',
    no_rooms: 'Ni chlywyd unrhyw ystafell reoli eto.', broken_sums: 'Nid yw’r ffigurau’n gwneud synnwyr: peidiwch â’u cyhoeddi.',
    handlers: 'Trinwyr', available: 'ar gael', ringing: 'yn canu', talking: 'yn siarad', hold: 'yn dal', wrap_up: 'cwblhau',
    not_ready: 'ddim yn barod', logged_out: 'wedi allgofnodi', unheard: 'heb eu clywed', line: 'Llinell', place: 'Lle', waited: 'Wedi aros',
    priority: 'Blaenoriaeth', rings: 'yn canu', ring_backs: 'Galwadau’n ôl sy’n ddyledus', promise: 'Addewidion a gadwyd', announcements: 'Cyhoeddiadau',
    issued: 'wedi’u rhoi', played: 'wedi’u chwarae', expired: 'wedi dod i ben', failed: 'wedi methu', cut_by_answer: 'torrwyd gan yr ateb', caller_left: 'gadawodd y galwr',
    later: 'Heb ei gyfrifo eto', staffing: 'Bwlch staffio', redials: 'Ail-ddeialu, a 999 ar ôl 101', origins: 'Tarddiad',
    more: '{count} arall', user: 'Defnyddiwr', password: 'Cyfrinair', log_in: 'Mewngofnodi', log_out: 'Allgofnodi', wrong_login: 'Mae’r enw neu’r cyfrinair yn anghywir.',
    about_service_level: 'Atebwyd o fewn yr amser targed, wedi’i rannu â’r rheini a phawb a arhosodd yn hwy, a roddodd y gorau ar ôl y terfyn byr, neu a ddaeth i ben eu hamser. Mae pwy bynnag sy’n aros yn rhy hir eisoes yn cyfrif fel methiant.',
    about_abandoned: 'Rhoddwyd y gorau, wedi’i rannu â’r rhai a atebwyd, a roddodd y gorau ac a ddaeth i ben eu hamser. Gadewir rhai byr allan.',
    about_asa: 'Arhosiad cymedrig y rhai a atebwyd. Nid yw’r rhai na chafodd ateb ynddo.',
    about_oldest: 'Pa mor hir y mae’r person sydd wedi aros hiraf wedi aros. Ni chyfrifir galwadau’n ôl.',
    about_waiting: 'Ymweliadau a ymunodd â’r ciw ac sydd heb ei adael.', about_today: 'Ymweliadau a ymunodd ers hanner nos.',
  },
};

export const LANGUAGES = { en: 'English', cy: 'Cymraeg' };

// word('late_long', { age: '20 s' }) in the language of the page.
export function word(key, values = {}) {
  const text = WORDS[document.documentElement.lang]?.[key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}
