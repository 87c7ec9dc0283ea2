"""What the integration adds to a conversation by voice: figures of one run, beside a bare pipe.

One run starts a stand-in for a provider of speech models, the real gateway that talks with it, and a
real Home Assistant with this integration. Beside it runs the bare pipe: an aiohttp WebSocket tied to a
voice session of the same gateway by the websockets library, which neither resamples nor paces, in a
process of its own. The satellites send 60 ms of sound every 60 ms, as binary messages of 16 kHz (those
of the pipe 24 kHz, which it passes on). Ports in between note what passes and when, by one clock: before
the gateway, and before the provider. All times are milliseconds but for those whose name says `_s`.

up_ms         What we add to a sound on its way: from sending the message that completes it, at the
              satellite, to the request that carries the whole of it, at the gateway's port. The sounds
              are 5 ms long and lie everywhere in their message.
down_ms       The same back, of every fifth of a second of every answer: from the gateway's event that
              brings its middle to the satellite's message. Without pacing (`maxAheadMs` 0), which waits
              on purpose.
clear_ms      From `response.cancel` to `audio.clear`, while an answer plays; nothing of it may come after.
start_ms      From opening the WebSocket to `session.ready`: all connections are made, the provider's, too.
assist_first_audio_s  On Home Assistant's own speech engines: from the last sound of a spoken question to
              the first one of the answer. The engines and the agent need no time; the half second of
              silence that ends a question, and up to 60 ms until the next message, are in it.
cpu_percent_16  Of one core, by Home Assistant's process, for 16 satellites whose microphones are open
              and hear silence; less what it needs without them. The table has the pipe's process, too.
late_frames_16  Pieces of sound that are more than 20 ms late in Home Assistant's process: up, of 16 open
              microphones, from the end of the piece in our hands to the gateway's socket; down, while the
              16 talk and are answered, from when it was due to the satellite's socket. What the
              microphones send meanwhile is not counted: it goes as fast as the gateway answers.
memory_mb_per_session  What Home Assistant's process grows by, for each of 16 satellites, garbage not
              counted: with open microphones, and after they have talked; the median of both. A first
              one has come and gone before.
ratio_to_pipe  Time from satellite to provider and back, ours to the pipe's: the sum of both medians.

These are measurements and no tests: a missed aim is printed, and is no failure. Another program that
works meanwhile shows in all of them.
"""
