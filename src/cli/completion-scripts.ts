/**
 * What `mlferry completion` prints. Each asks `mlferry complete` with the words up to the cursor, as they are and never evaluated,
 * and gets a line `value<TAB>meaning` for each, and `:files` where files are as good. (The published completion libraries
 * were looked at: they evaluate what was typed, or leave files out.)
 */
export const completionScripts: Readonly<Record<'bash' | 'zsh' | 'fish', string>> = {
  // Bash takes an address apart at its colons: they are put together again, and of what fits only what stands behind the last is given.
  bash: `# mlferry: completion for bash
_mlferry() {
  local IFS=$'\\n' words=() word line cur before
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if ((\${#words[@]})) && [[ $word == :* || \${words[-1]} == *: ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  cur=\${words[-1]-}
  before=\${cur%"\${cur##*:}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    if [[ $line == :files ]]; then
      compopt -o filenames
      COMPREPLY+=($(compgen -f -- "\${cur#"$before"}"))
    elif [[ $line == "$cur"* ]]; then
      printf -v line %q "\${line#"$before"}"
      COMPREPLY+=("$line")
    fi
  done < <(mlferry complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _mlferry mlferry
`,
  zsh: `#compdef mlferry
# mlferry: completion for zsh
_mlferry() {
  local -a values
  local line files
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}"); fi
  done < <(mlferry complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe -t mlferry mlferry values
  [[ -n $files ]] && _files
}
compdef _mlferry mlferry
`,
  fish: `# mlferry: completion for fish
function __mlferry_complete
  set -l words (commandline -opc)
  for line in (mlferry complete -- $words[2..] (commandline -ct) 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c mlferry -f -a '(__mlferry_complete)'
`,
};
