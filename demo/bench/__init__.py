"""What the integration costs: figures of one run, beside a bare client on the same gateway.

One run starts the real gateway with a local model server and a real Home Assistant with this
integration. Both clients live in this process, so every time below is of one clock: a client of
Assist that asks through the pipeline (text in, text out), and a bare client that is connected to
the gateway itself. The gateway tells every operator about every run, so the bare client sees the
frames that the integration sees, and it connects first, so it is told first.

added_ms      From the first gateway frame that carries a piece of text, at the bare client, to the
              delta that brings this piece to the client of Assist. Milliseconds, over all deltas of
              all questions; the model says a word every 120 ms. In it are the integration, Home
              Assistant's chat log, pipeline and WebSocket API, and its client.
  .ratio      From sending the question to the first text: through Assist / asked by the bare client,
              each in a warm session of its own. The two take turns at going first; the figure is the
              median of the ratios of all questions. Most of this time is the gateway's.
delta_us      Microseconds of our own code per delta, without network and Home Assistant: from the
              bytes of its two frames (`agent` and `chat`) to the delta for the chat log, with all
              that wakes up in between. An answer of 2 000 characters in 400 deltas. Texts on the wire
              are cumulative, so it grows with the answer; the table has the long answer's, too.
long_answer   An answer of 60 000 characters. `total_s` is from the question to the end of the turn
              through Assist, `ratio` the same / the bare client's time; medians of three.
  .max_block_ms  The longest single callback of Home Assistant's event loop in which our code runs,
              while those answers come: the reader of our socket, our tasks, and the task of the
              pipeline, with what Home Assistant itself does in there. A probe in Home Assistant's own
              process times every callback by the clock, so what else keeps the processor counts, too.
load_s        Seconds from the begin of the entry's setup until its state is `loaded`, with a gateway that
              can be reached, as at the start of Home Assistant: connecting, the handshake, the gateway's
              agents, and setting up the entities. Told by Home Assistant while the entry is reloaded
              after the questions; the median of five. The gateway's part is in it, waiting for a gateway
              that is away is not: then Home Assistant decides when it tries again.
first_audio   Seconds from sending a question in writing to the first byte of the answer's sound, for an answer
              of 120 words at 40 words a second. `streaming_s`: spoken sentence by sentence while it
              comes; `whole_s`: the same answer of the same voice, by a text-to-speech that does not
              stream, so that it is spoken when it has ended; `ratio`: the first / the second. Medians of
              three answers. The voice (flite) takes some hundredths of a second for a sentence.
notifications A gateway says 1 000 things on its own in 10 seconds: a second gateway of this process, because the
              real one needs longer to make so many. `lost` and `repeated` are of Home Assistant's bus events,
              `in_order` whether they came as they were sent; `seconds` is from the first one sent to the last
              event, `behind_s` from the last one sent; `max_block_ms` as above, of the reader of our socket
              and the task that tells them; a full collection of garbage counts when it falls into one of
              them, and takes some 100 ms. `burst`: the same as fast as they are read.

These are measurements and no tests: a missed aim is printed, and is no failure. Another program that works meanwhile shows in all of them.
"""
