/** The newest posts that match, as text: nothing in a post becomes markup. */
import { useEffect, useRef, useState } from 'preact/hooks'

import { posts as askPosts, Refusal, type Post, type Problem } from '../api'
import { wallClockText } from '../numbers'
import { change, go, live, range, state } from '../page'
import { askedOf, toggled } from '../state'
import { wallOf } from '../zone'

export function Posts() {
  const now = state.value
  const [text, setText] = useState(now.search)
  const [found, setFound] = useState<{ asked: string; posts: Post[]; next: string | null } | null>(null)
  const [problem, setProblem] = useState<Problem | null>(null)
  const asking = useRef<AbortController | null>(null)
  const keys = new URLSearchParams(askedOf(now, range.value))
  if (now.search !== '') keys.append('search', now.search)
  const asked = keys.toString()

  const ask = async (before: string | null) => {
    asking.current?.abort()
    const controller = (asking.current = new AbortController())
    try {
      const answer = await askPosts(`${asked}${before === null ? '' : `&before=${encodeURIComponent(before)}`}&limit=50`, controller.signal)
      setFound(last => (before === null || last?.asked !== asked ? { asked, ...answer } : { asked, posts: [...last.posts, ...answer.posts], next: answer.next }))
      setProblem(null)
    } catch (error) {
      if (!controller.signal.aborted) setProblem(error instanceof Refusal ? error.problem : { message: String(error) })
    }
  }
  useEffect(() => setText(now.search), [now.search])
  useEffect(() => void ask(null), [asked])
  useEffect(() => {
    // New posts come to the top as long as the reader has not gone down the list.
    if (live.value.snapshot !== null && scrollY < 200 && (found?.posts.length ?? 0) <= 50) void ask(null)
  }, [live.value.snapshot])
  return (
    <section class="posts" aria-label="Posts">
      <form role="search" onSubmit={event => { event.preventDefault(); change({ search: text.trim() }) }}>
        <label><span class="unseen">Search in texts</span><input type="search" value={text} placeholder="search in texts" onInput={event => setText(event.currentTarget.value)} /></label>
        <button type="submit">Search</button>
      </form>
      {problem && <div class="trouble" role="alert"><p>{problem.message}</p>{problem.hint && <p class="soft">{problem.hint}</p>}</div>}
      <ol aria-busy={found?.asked !== asked}>{found?.posts.map(post => <Item key={post.uri} post={post} />)}</ol>
      {found && found.posts.length === 0 && <p class="empty">No post matches. Search for a part of a word, or clear the filter (Esc).</p>}
      {found?.next && <button type="button" onClick={() => void ask(found.next)}>Older posts</button>}
    </section>
  )
}

function Item({ post }: { post: Post }) {
  const zone = state.value.timezone
  const link = webAddress(post.url ?? post.uri)
  const [name, host] = post.author.split('@')
  const profile = host === undefined ? null : webAddress(`https://${host}/@${name}`)
  const when = wallClockText(wallOf(Date.parse(post.created_at), zone))
  return (
    <li>
      <p class="by">
        {profile === null ? <b>{post.author}</b> : <a href={profile} target="_blank" rel="noopener noreferrer"><b>{post.author}</b></a>}
        {post.author_bot && <span class="tag">bot</span>}
        {' '}{link === null ? <time dateTime={post.created_at}>{when}</time> : <a class="soft" href={link} target="_blank" rel="noopener noreferrer"><time dateTime={post.created_at}>{when}</time></a>}
        {post.edited_at && <span class="soft" title={post.edited_at}> edited</span>}
        <span class="soft">{[post.language, post.app, `shown by ${post.server}`, post.media ? `${post.media} media` : null].filter(Boolean).map(part => ` · ${part}`).join('')}</span>
      </p>
      {post.spoiler_text ? <details><summary>{post.spoiler_text}</summary><p class="text" dir="auto">{post.text}</p></details> : <p class="text" dir="auto">{post.text}</p>}
      {(post.tags?.length ?? 0) > 0 && <p class="tags">{post.tags!.map(tag => <button type="button" class="plain" onClick={event => go(toggled(state.value, 'hashtag', tag, event.altKey || event.shiftKey))}>#{tag}</button>)}</p>}
    </li>
  )
}

/** An address that leads to the web, or none: a post's address may be any text. */
export function webAddress(text: string): string | null {
  try {
    const url = new URL(text)
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null
  } catch {
    return null
  }
}
