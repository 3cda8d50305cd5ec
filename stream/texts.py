"""The words of announcements, in English and Welsh: the same content in both."""

WAY_OUT = {
    "en": "If someone is in danger or a crime is happening now, hang up and dial 999.",
    "cy": "Os oes rhywun mewn perygl neu os oes trosedd yn digwydd nawr, rhowch y ffôn i lawr a deialwch 999.",
}
WELCOME = {
    "en": "Thank you for calling. You are in a queue and will be answered in turn. You can also report online.",
    "cy": "Diolch am ffonio. Rydych mewn ciw a chewch ateb yn eich tro. Gallwch hefyd roi gwybod ar-lein.",
}
POSITION = {
    "en": "You are number {position} in the queue.",
    "cy": "Rydych yn rhif {position} yn y ciw.",
}
POSITION_MORE_THAN_TEN = {
    "en": "Your position in the queue is more than ten.",
    "cy": "Mae eich safle yn y ciw yn fwy na deg.",
}
REASSURANCE = {
    "en": "Thank you for waiting. You have not lost your place.",
    "cy": "Diolch am aros. Nid ydych wedi colli eich lle.",
}
LANGUAGES = tuple(WAY_OUT)
